/**
 * Arrays as PostgreSQL sends and receives them in binary (src/backend/utils/adt/arrayfuncs.c, array_recv): as text every byte would be two and would
 * be read twice. Numbers are big endian, 32 bits unless said otherwise:
 *
 *     dimensions (0 or 1)  has nulls (0)  type  [ length  first index (1) ]  then for each element: its length in bytes, its bytes
 */

const HEADER_BYTES = 12;
const DIMENSION_BYTES = 8;
const BYTEA = 17;
const INT8 = 20;
const INT8_BYTES = 8;

/** A parameter of type `bytea[]`. */
export function byteaArray(elements: readonly Uint8Array[]): Buffer {
  const size = elements.reduce((sum, { length }) => sum + 4 + length, HEADER_BYTES + DIMENSION_BYTES);
  const array = arrayOf(BYTEA, elements.length, size);
  let at = HEADER_BYTES + DIMENSION_BYTES;
  for (const element of elements) {
    at = array.writeInt32BE(element.length, at);
    array.set(element, at);
    at += element.length;
  }
  return array;
}

/** A parameter of type `bigint[]`, of numbers up to 2^53 - 1. */
export function bigintArray(elements: readonly number[]): Buffer {
  const array = arrayOf(INT8, elements.length, HEADER_BYTES + DIMENSION_BYTES + elements.length * (4 + INT8_BYTES));
  let at = HEADER_BYTES + DIMENSION_BYTES;
  for (const element of elements) {
    at = array.writeInt32BE(INT8_BYTES, at);
    at = array.writeBigInt64BE(BigInt(element), at);
  }
  return array;
}

function arrayOf(type: number, length: number, size: number): Buffer {
  if (length === 0) {
    const empty = Buffer.alloc(HEADER_BYTES);
    empty.writeInt32BE(type, 8);
    return empty;
  }
  const array = Buffer.allocUnsafe(size);
  array.writeInt32BE(1, 0);
  array.writeInt32BE(0, 4);
  array.writeInt32BE(type, 8);
  array.writeInt32BE(length, 12);
  array.writeInt32BE(1, 16);
  return array;
}
