import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { alarmSection } from '../../gateway/config/alarm-section.ts';
import { noticesSection } from '../../gateway/config/notices-section.ts';

type Section = typeof noticesSection | typeof alarmSection;
const problems = (section: Section, text: string): readonly string[] => {
  const result = section.safeParse(parse(text) as unknown);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};

describe('the section notices', () => {
  it('has no way at all by itself', () => {
    expect(noticesSection.parse(undefined)).toEqual({ sms: { perHour: 120 }, commands: [] });
  });

  it('takes a mail server, buzzers and commands', () => {
    expect(noticesSection.parse(parse(`
      email: { host: mail.example.org, user: gateway, passwordFile: /etc/vitalgate/mail.password, from: vitalgate@example.org }
      sms: { perHour: 20 }
      commands:
        - { name: bell, kind: buzzer, run: [/usr/bin/gpioset, gpiochip0, 17=1], within: 3s }
        - { name: lamp, run: [/usr/local/bin/lamp] }
    `))).toEqual({
      email: { host: 'mail.example.org', port: 587, security: 'starttls', user: 'gateway', passwordFile: '/etc/vitalgate/mail.password', from: 'vitalgate@example.org', perHour: 600 },
      sms: { perHour: 20 },
      commands: [{ name: 'bell', kind: 'buzzer', run: ['/usr/bin/gpioset', 'gpiochip0', '17=1'], within: 3000 }, { name: 'lamp', kind: 'command', run: ['/usr/local/bin/lamp'], within: 10_000 }],
    });
    expect(noticesSection.parse({ email: { host: 'localhost', security: 'none', from: 'a@b' } }).email?.port).toBe(25);
    expect(noticesSection.parse({ email: { host: 'm.example', security: 'tls', from: 'a@b' } }).email?.port).toBe(465);
  });

  it.each([
    ['{ email: { host: mail.example.org, security: none, from: a@b } }', "email.security: expected starttls or tls, because 'host' is not this machine"],
    ['{ email: { host: mail.example.org, user: a, from: a@b } }', "email.passwordFile: expected both 'user' and 'passwordFile', or neither"],
    ['{ email: { host: mail.example.org, from: nobody } }', 'email.from: expected a mail address'],
    ['{ email: { host: mail.example.org, password: secret, from: a@b } }', 'email: Unrecognized key: "password"'],
    ['{ commands: [{ name: bell, run: gpioset 17=1 }] }', 'commands.0.run: expected a list: the program, and its words'],
    ['{ commands: [{ name: bell, run: [] }] }', 'commands.0.run: expected at least the program'],
    ['{ commands: [{ name: bell, run: [/a] }, { name: bell, run: [/b] }] }', "commands.1.name: name 'bell' is used twice"],
    ['{ commands: [{ name: bell, run: [/a], within: 3min }] }', 'commands.0.within: expected a duration'],
  ])('refuses %s', (text, problem) => {
    expect(problems(noticesSection, text)).toContainEqual(expect.stringContaining(problem));
  });

  it.each([
    ['{ people: [{ name: dora, email: "dora <dora@example.org>" }] }', 'people.0.email: expected a mail address'],
    ['{ people: [{ name: dora, email: "a@b,c@d" }] }', 'people.0.email: expected a mail address'],
    ['{ people: [{ name: dora, phone: 0151-123 }] }', 'people.0.phone: expected a telephone number'],
  ])('people can be reached where that can be: not %s', (text, problem) => {
    expect(problems(alarmSection, text)).toContainEqual(expect.stringContaining(problem));
  });
});
