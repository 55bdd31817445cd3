/** What the numbers of `+CMS ERROR` mean (3GPP TS 27.005 §3.2.5, 24.011 §8.2.5.4, 23.040 §9.2.3.22), for those whom people can do something about. */
const WORDS: Readonly<Record<number, string>> = {
  1: 'there is no such number', 8: 'the network operator bars it', 10: 'calls are barred', 21: 'the network refuses it', 27: 'the telephone there is out of service',
  28: 'the network does not know this SIM', 30: 'the network does not know this SIM', 38: 'the network is out of order', 41: 'a passing failure of the network', 42: 'the network is overloaded',
  47: 'the network has no resources', 50: 'the contract of this SIM has no short messages', 69: 'the network has no such service',
  192: 'the service centre is busy', 193: 'the service centre does not know this SIM', 194: 'the service centre is out of order', 195: 'that number is not allowed',
  300: 'the modem failed', 301: 'another program has the modem', 302: 'the modem does not allow it', 303: 'the modem cannot do it', 304: 'the modem does not understand the message',
  310: 'there is no SIM', 311: 'the SIM wants its PIN', 313: 'the SIM failed', 314: 'the SIM is busy', 315: 'it is the wrong SIM', 316: 'the SIM wants its PUK',
  322: 'the memory of the modem is full', 330: 'the SIM knows no service centre', 331: 'there is no network', 332: 'the network did not answer in time', 500: 'the modem does not say why',
};

export const cmsInWords = (number: number): string | undefined => WORDS[number];
