/** The element at `index`, counted from the end when negative. Throws a RangeError where there is none. */
export function at<Element>(list: readonly Element[], index: number): Element {
  const element = list.at(index);
  if (element === undefined) throw new RangeError(`no element ${index} in a list of ${list.length}`);
  return element;
}
