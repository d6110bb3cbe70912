/** The reference's own bytes (test/vectors/README.md), with the types that the engine uses. */
import { SUITES, type Suite } from '../../src/crypto/aead.js';
import { isFrameType, type FrameType } from '../../src/wire/constants.js';
import wire from '../vectors/wire.json';

export { wire };

export function suiteOf(name: string): Suite {
  const suite = SUITES.find((each) => each === name);
  if (!suite) throw new Error(`no such suite: ${name}`);
  return suite;
}

export function frameTypeOf(type: number): FrameType {
  if (!isFrameType(type)) throw new Error(`no such frame type: ${type}`);
  return type;
}
