/** The fields of one line of an answer: `+CEREG: 2,1,"1A2D"` is 2, 1 and 1A2D. Spaces and missing or stray quotes are common. */
export function fieldsOf(line: string): string[] {
  const colon = line.indexOf(':');
  const fields: string[] = [];
  for (const [, quoted, bare = ''] of `${line.slice(colon + 1)},`.matchAll(/\s*(?:"([^"]*)"|([^,]*))\s*,/g)) fields.push((quoted ?? bare).replaceAll('"', '').trim());
  return fields;
}

/** Undefined for what is empty, `-`, or no number. */
export function numberIn(field: string | undefined): number | undefined {
  return field !== undefined && /^-?\d+(\.\d+)?$/.test(field) ? Number(field) : undefined;
}
