/** What somebody may do. The words are in the configuration and in the chain: one may be added, never renamed. */
export const ACCESSES = ['viewer', 'caregiver', 'clinician', 'administrator'] as const;
export type Access = (typeof ACCESSES)[number];

/**
 * The single things to be allowed: see alarms and what is known of people; answer alarms; enter what was seen or measured by hand;
 * prescribe a scale; put rule packs in force; break the glass; judge whether somebody was right to; draw flows.
 */
export type Right = 'see' | 'answer' | 'observe' | 'prescribe' | 'activate' | 'break' | 'review' | 'draw';

/** Not a ladder: who runs the machine does not thereby decide what only a clinician may (NEWS2: the scale of SpO2). */
const RIGHTS: Readonly<Record<Access, readonly Right[]>> = {
  viewer: ['see'],
  caregiver: ['see', 'answer', 'observe'],
  clinician: ['see', 'answer', 'observe', 'prescribe', 'break', 'review'],
  administrator: ['see', 'answer', 'observe', 'activate', 'review', 'draw'],
};

/** What for somebody with such access looks, for want of anything better said (HL7 ActReason: treatment, healthcare operations). */
export const purposeOf = (role: string): 'TREAT' | 'HOPERAT' => (role === 'administrator' ? 'HOPERAT' : 'TREAT');

export const mayDo = (access: Access, right: Right): boolean => RIGHTS[access].includes(right);

/** Whom to ask: "caregiver, clinician or administrator". */
export function accessFor(right: Right): string {
  const words = ACCESSES.filter((access) => mayDo(access, right));
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** Somebody the configuration names. `patients`: whom alone they look after; absent: everybody. */
export type Person = Readonly<{ name: string; access: Access; patients?: readonly string[] | undefined }>;

/** Where somebody can be reached. Nothing but the configuration has it: no frame, no chain, no answer to a flow. */
export type Contact = Readonly<{ name: string; email?: string | undefined; phone?: string | undefined }>;
