/** Errors for tests: the types let each class carry its own codes only, and a test may need another. */
import { ERROR_CODES, isErrorCode, type ErrorCode } from '../../src/error-codes.js';
import * as errors from '../../src/errors.js';

/** A code that no table has, such as `TEST_LATE`, for where any error will do. */
export const testCode = (code: `TEST_${string}`): never => code as never;

/** An error of this code, of the class that the table has for it. */
export function errorOf(code: string, message = ''): errors.USMPError {
  if (!isErrorCode(code)) throw new Error(`${code} is no code of the engine`);
  const { class: name } = ERROR_CODES[code];
  if (name === 'ArgumentError') return new errors.ArgumentError('field', message);
  if (name === 'VersionError') return new errors.VersionError(code === 'USMP_VERSION' ? 3 : 1);
  const Class = errors[name] as new (message: string, detail: { code: ErrorCode }) => errors.USMPError;
  return new Class(message, { code });
}
