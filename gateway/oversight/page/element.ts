type Attributes = Readonly<Record<string, string>>;

/** An element with attributes and children; text is never taken for HTML. */
export function make<Name extends keyof HTMLElementTagNameMap>(name: Name, attributes: Attributes = {}, ...children: readonly (Node | string)[]): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The element of the page with that id. */
export function part(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/** Writes only what changed, so that what is being read or selected stays as it is. */
export function show(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts other children into an element when what they are made of is other than before: a screen reader would say them again. */
export function showMade(element: HTMLElement, of: unknown, children: () => readonly Node[]): void {
  const text = JSON.stringify(of);
  if (element.dataset['of'] === text) return;
  element.dataset['of'] = text;
  element.replaceChildren(...children());
}
