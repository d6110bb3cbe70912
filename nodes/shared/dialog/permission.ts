/** Who asks for something over the admin API, and what they may. */
import type { NodeAPI } from 'node-red';

export type Handler = ReturnType<NodeAPI['auth']['needsPermission']>;
export type Request = Parameters<Handler>[0];
type Response = Parameters<Handler>[1];

/**
 * Node-RED tells what somebody may only by letting a request pass or answering it.
 * @param permission such as `flows.write`.
 * @returns what tells whether whoever sent a request has the permission; everybody has where there is no login.
 */
export function permissionCheck(RED: NodeAPI, permission: string): (request: Request) => Promise<boolean> {
  const gate = RED.auth.needsPermission(permission);
  return (request) =>
    new Promise((resolve) => {
      // The answer to those who lack the permission goes nowhere.
      const response = {
        setHeader: () => response,
        status: () => response,
        end: () => {
          resolve(false);
          return response;
        },
      };
      gate(request, response as unknown as Response, (error?: unknown) => resolve(error === undefined));
    });
}

/** Somebody at some address, in one text. */
export function askerOf({ ip, socket, user }: Request & { user?: unknown }): string {
  const { username } = (user ?? {}) as { username?: unknown };
  return JSON.stringify([username, ip ?? socket.remoteAddress]);
}
