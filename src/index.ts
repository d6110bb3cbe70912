/** The public door: what nodes and plain Node.js programs use. */
export { DEFAULT_SUITE, SUITES, type Suite } from './crypto/aead.js';
export { DEVELOPMENT_PSK, MIN_PSK_BYTES, parsePsk, PSK_FORMATS, type PskFormat } from './crypto/psk.js';
export { deriveDeviceId } from './crypto/device-id.js';
export { systemClock, type CancelTimer, type Clock } from './clock.js';
export * from './errors.js';
export { ERROR_CODES, type ErrorClass, type ErrorRow, type ErrorStep, type Told } from './error-codes.js';
export { USMPClient } from './client/usmp-client.js';
export {
  USMPConnection,
  type ConnectionEvents,
  type ConnectionStats,
  type MessageOrigin,
} from './client/connection.js';
export type { ConnectionState } from './client/redial.js';
export type { ConnectionOptions } from './client/connection-options.js';
export { DELIVERIES, type Delivery, type KeptMessage, type Outcome } from './delivery/outbox.js';
export type { ClientOptions } from './client/options.js';
export type { EndpointEvents } from './endpoint/endpoint.js';
export { DEFAULT_PORT, PROTOCOLS, type Protocol } from './transport/transport.js';
export { USMPServer, type ServerEvents, type ServerStats } from './server/usmp-server.js';
export type { Knock, Refused } from './server/refusals.js';
export type { DeviceSession, DeviceStatus, Presence } from './server/device.js';
export type { DeviceTable } from './server/devices.js';
export type { KeptMailbox } from './server/kept.js';
export type { DeviceOptions } from './server/device-options.js';
export { isKeptMessage, type MailboxStats, type SendOptions } from './delivery/mailbox.js';
export type { ServerSession } from './server/server-session.js';
export { derivedPsk } from './crypto/derived-psk.js';
export type { DeviceKeys, PskLookup, PskSource } from './server/keys.js';
export type { ServerOptions, ServerProtocol } from './server/options.js';
export { MAX_MESSAGE_BYTES } from './wire/constants.js';
export { formatDeviceId, toDeviceId } from './wire/device-id.js';
