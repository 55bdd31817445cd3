/** Bytes as Node has them, for the page: the modules that verify are the ones the gateway runs. */
export { Buffer } from 'buffer/';
