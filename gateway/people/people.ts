import { timingSafeEqual } from 'node:crypto';
import { UsageError } from '../errors.ts';
import { Minutes, UnixMillis, type Millis } from '../quantity.ts';
import type { Access, Person } from './access.ts';
import { digestOf, idOf, newSecret, type KeptToken, type TokenKind, type TokenStore } from './tokens.ts';

/** Tokens and sessions there can be at a time, unless something else is said, and sessions of one token. Choices of this project. */
const MOST_TOKENS = 1000;
const MOST_SESSIONS = 20;
/** A page on the wall of a ward must not fall silent in the night; who leaves ends the session, or their token is revoked. */
const LONGEST_SESSION = Minutes(30 * 24 * 60);

/** Who sent a request, as the configuration says now. */
export type Identity = Readonly<{ person: string; access: Access; token: string; kind: TokenKind; /** Whom alone they look after; absent: everybody. */ patients?: readonly string[] }>;

/** `secret` is told once. */
export type MadeToken = Readonly<{ id: string; person: string; access: Access; secret: string; expires: UnixMillis | null }>;

export type ListedToken = Readonly<{
  id: string;
  person: string;
  /** Null: the configuration does not name the person, so that it is worth nothing. */
  access: Access | null;
  made: UnixMillis;
  expires: UnixMillis | null;
  expired: boolean;
  /** Browsers that use it now. */
  sessions: number;
}>;

export type PeopleOptions = Readonly<{
  store: TokenStore;
  people: readonly Person[];
  random: (size: number) => Uint8Array;
  now: () => UnixMillis;
  /** Tokens and sessions there can be at a time. Default 1000. */
  most?: number;
  /** For messages: where in the configuration people are, and the command that lists tokens. Default: those of a gateway. */
  words?: Readonly<{ section: string; command: string }>;
}>;

const GATEWAY_WORDS = { section: 'alarms.people', command: 'vitalgate person tokens' };

/**
 * Knows who may do what, and by what they prove it. A token is worth something while it is kept, has not expired and the configuration
 * names its person. All are held in memory, so that a wrong one costs a hash and no disk.
 */
export class People {
  readonly #options: PeopleOptions;
  readonly #tokens = new Map<string, KeptToken>();
  /** Those of them that are worth nothing, but still on the disk. */
  readonly #ended = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #people: ReadonlyMap<string, Person>;
  /** Programs of the gateway itself, by the digest of a secret that is kept nowhere else. */
  readonly #housemates = new Map<string, Person>();
  #newest = 0;
  #lastChange: Promise<unknown> = Promise.resolve();

  static async open(options: PeopleOptions): Promise<People> {
    return new People(options, await options.store.list());
  }

  private constructor(options: PeopleOptions, tokens: readonly KeptToken[]) {
    this.#options = options;
    this.#people = byName(options.people);
    for (const token of tokens) this.#keep(token);
  }

  /** Takes over who there is now. Who is not among them has no access any more. */
  configure(people: readonly Person[]): void {
    this.#people = byName(people);
    this.#tell();
  }

  /** What the configuration allows somebody; undefined for somebody it does not name. */
  accessOf(person: string): Access | undefined {
    return this.#people.get(person)?.access;
  }

  /** Whom alone somebody looks after; undefined: everybody. */
  patientsOf(person: string): readonly string[] | undefined {
    return this.#people.get(person)?.patients;
  }

  /** Calls back whenever somebody may have lost access. Returns what ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Who this is; undefined for everything that is worth nothing. */
  identify(secret: string): Identity | undefined {
    const digest = digestOf(secret);
    const housemate = digest === undefined ? undefined : this.#housemates.get(hex(digest));
    if (housemate !== undefined) return { ...identityOf(this.#people.get(housemate.name) ?? housemate), token: housemate.name, kind: 'token' };
    const found = digest === undefined ? undefined : this.#tokens.get(hex(digest));
    // Finding is by hash, so that its time tells nothing of a secret; the comparison rests on no assumption about maps.
    if (digest === undefined || found === undefined || !timingSafeEqual(digest, found.digest)) return undefined;
    if (this.#isExpired(found) || this.#ended.has(hex(digest))) return undefined;
    const person = this.#people.get(found.person);
    return person === undefined ? undefined : { ...identityOf(person), token: idOf(found), kind: found.kind };
  }

  /**
   * A token for a program that is part of this gateway: worth something until it is taken back or this process ends. What the configuration
   * says of somebody of this name counts; else what is given.
   */
  takeIn(program: Person): Readonly<{ secret: string; takeBack: () => void }> {
    const secret = newSecret('token', this.#options.random);
    const name = hex(digestOf(secret) as Uint8Array);
    this.#housemates.set(name, program);
    return {
      secret,
      takeBack: () => {
        this.#housemates.delete(name);
        this.#tell();
      },
    };
  }

  /** Throws {@link UsageError} for a person the configuration does not name. The token is durable before it is told. */
  makeToken(person: string, expiresAfter?: Millis): Promise<MadeToken> {
    return this.#inTurn(async () => {
      const access = this.accessOf(person);
      if (access === undefined) throw new UsageError(`${JSON.stringify(person)} is nobody in ${this.#words.section} of the configuration${knownPeople(this.#people)}`);
      await this.#removeExpired();
      if (this.#tokens.size >= (this.#options.most ?? MOST_TOKENS)) throw new UsageError(`there are ${this.#tokens.size} tokens and sessions already: revoke those nobody needs`);
      const now = this.#now();
      const expires = expiresAfter === undefined ? null : UnixMillis(now + expiresAfter);
      const { secret, token } = await this.#make({ kind: 'token', person, made: now, expires });
      return { id: idOf(token), person, access, secret, expires };
    });
  }

  /** For a browser: a secret for a cookie, which lasts as long as the token it is begun with, and at most 30 days. The oldest of too many ends. */
  beginSession({ person, token: parent }: Identity): Promise<Readonly<{ secret: string; expires: UnixMillis }>> {
    return this.#inTurn(async () => {
      await this.#removeExpired();
      const begunWith = [...this.#tokens.values()].find((each) => idOf(each) === parent);
      if (begunWith === undefined) throw new UsageError('the token was revoked meanwhile');
      const others = this.#sessionsOf(parent).sort((a, b) => a.made - b.made);
      await this.#remove(others.slice(0, Math.max(0, others.length - MOST_SESSIONS + 1)));
      const now = this.#now();
      const expires = UnixMillis(Math.min(begunWith.expires ?? Infinity, now + LONGEST_SESSION));
      const { secret } = await this.#make({ kind: 'session', person, parent, made: now, expires });
      return { secret, expires };
    });
  }

  endSession(secret: string): Promise<void> {
    return this.#inTurn(async () => {
      const digest = digestOf(secret);
      const found = digest === undefined ? undefined : this.#tokens.get(hex(digest));
      if (found?.kind === 'session') await this.#remove([found]);
    });
  }

  /** Tokens, not sessions, by person and age. */
  tokens(): readonly ListedToken[] {
    const tokens = [...this.#tokens.values()].filter(({ kind }) => kind === 'token');
    return tokens.map((token) => this.#listed(token)).sort((a, b) => a.person.localeCompare(b.person) || a.made - b.made);
  }

  /** Ends one token by its id, or all of a person, with the sessions begun with them. Throws {@link UsageError} when there is none. */
  revoke(nameOrId: string): Promise<readonly ListedToken[]> {
    return this.#inTurn(async () => {
      const tokens = [...this.#tokens.values()].filter((each) => each.kind === 'token' && (each.person === nameOrId || idOf(each) === nameOrId));
      if (tokens.length === 0) throw new UsageError(`${JSON.stringify(nameOrId)} is neither a person with a token nor the id of one; "${this.#words.command}" lists them`);
      const revoked = tokens.map((token) => this.#listed(token));
      await this.#remove([...tokens, ...tokens.flatMap((token) => this.#sessionsOf(idOf(token)))]);
      return revoked;
    });
  }

  /**
   * Looks again at what is kept: several processes may share one store. What another one made is worth something here from now on, what
   * another one ended is worth nothing.
   */
  reread(): Promise<void> {
    return this.#inTurn(async () => {
      const kept = await this.#options.store.list();
      const names = new Set(kept.map(({ digest }) => hex(digest)));
      const gone = [...this.#tokens.keys()].filter((name) => !names.has(name));
      for (const name of gone) this.#tokens.delete(name);
      for (const token of kept) this.#keep(token);
      if (gone.length > 0) this.#tell();
    });
  }

  get #words(): NonNullable<PeopleOptions['words']> {
    return this.#options.words ?? GATEWAY_WORDS;
  }

  #listed(token: KeptToken): ListedToken {
    const { person, made, expires } = token;
    const id = idOf(token);
    return { id, person, access: this.accessOf(person) ?? null, made, expires, expired: this.#isExpired(token), sessions: this.#sessionsOf(id).length };
  }

  #sessionsOf(parent: string): KeptToken[] {
    return [...this.#tokens.values()].filter((each) => each.parent === parent);
  }

  async #make(given: Omit<KeptToken, 'digest'>): Promise<Readonly<{ secret: string; token: KeptToken }>> {
    const secret = newSecret(given.kind, this.#options.random);
    const token: KeptToken = { ...given, digest: digestOf(secret) as Uint8Array };
    await this.#options.store.put(token);
    this.#keep(token);
    return { secret, token };
  }

  #keep(token: KeptToken): void {
    this.#tokens.set(hex(token.digest), token);
    this.#newest = Math.max(this.#newest, token.made);
  }

  /** Worth nothing at once. When the disk fails the caller hears of it and tries again: until then a restart would bring them back. */
  async #remove(tokens: readonly KeptToken[]): Promise<void> {
    if (tokens.length === 0) return;
    const names = tokens.map(({ digest }) => hex(digest));
    for (const name of names) this.#ended.add(name);
    this.#tell();
    await this.#options.store.remove(tokens.map(({ digest }) => digest));
    for (const name of names) {
      this.#tokens.delete(name);
      this.#ended.delete(name);
    }
  }

  async #removeExpired(): Promise<void> {
    await this.#remove([...this.#tokens.values()].filter((token) => this.#isExpired(token)));
  }

  #isExpired({ expires }: KeptToken): boolean {
    return expires !== null && expires <= this.#now();
  }

  /** A clock that is behind the making of a token is wrong (a board without a battery clock boots in 1970), and revives nothing older. */
  #now(): UnixMillis {
    return UnixMillis(Math.max(this.#options.now(), this.#newest));
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** One change after the other. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#lastChange.then(change);
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }
}

const hex = (digest: Uint8Array): string => Buffer.from(digest).toString('hex');
const byName = (people: readonly Person[]): ReadonlyMap<string, Person> => new Map(people.map((person) => [person.name, person]));
const identityOf = ({ name, access, patients }: Person): Pick<Identity, 'person' | 'access' | 'patients'> => ({ person: name, access, ...(patients === undefined ? {} : { patients }) });
const knownPeople = (people: ReadonlyMap<string, Person>): string => (people.size === 0 ? ', which names nobody' : `: there are ${[...people.keys()].join(', ')}`);
