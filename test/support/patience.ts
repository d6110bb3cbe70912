/**
 * How long a test waits for what has to come. It only tells a test that hangs from one that is slow: no test may take
 * it for a measure of anything. What is a matter of time goes by a `FakeClock`.
 */
export const PATIENCE_MS = 30_000;
