// Where the agent of a session finds what it may have: the proxy's address in its environment, and where it was asked for,
// the tokens in a file. It decides what is told; what passes is session-route.ts's to decide.
import { chmodSync, existsSync, rmSync } from "node:fs"
import type { Server } from "node:http"
import { resolve as absolute } from "node:path"
import { toInstant } from "../time.ts"
import { wrongUse } from "./exit.ts"
import { replaceSecret, thereAlready } from "./secret-file.ts"
import { portOf } from "./server.ts"
import { createSessionProxy } from "./session-proxy.ts"
import { pathOf, type Routing, type SessionApi, variableOf } from "./session-route.ts"
import type { TaskSession } from "./session-task.ts"

export interface DoorOptions {
  readonly secret: string
  readonly socket: string | undefined
  readonly passOthers: boolean
  readonly givesTokens: boolean
  readonly tokenFile: string | undefined
  /** Told when renewed tokens could not be written. */
  fileFailed(): void
}

export interface Door {
  readonly environment: Readonly<Record<string, string>>
  close(): Promise<void>
}

export async function openDoor(opened: TaskSession, options: DoorOptions): Promise<Door> {
  const { secret, socket, passOthers, givesTokens, tokenFile } = options
  if (tokenFile !== undefined && existsSync(tokenFile)) throw thereAlready(tokenFile)
  let authority: string | undefined
  const routing = (): Routing => ({ secret, apis: apisOf(opened), authority, passOthers, givesTokens })
  const proxy = createSessionProxy(opened.session, routing)
  if (socket === undefined) authority = `127.0.0.1:${await listenOnLoopback(proxy.server)}`
  else await listenOnSocket(proxy.server, socket)
  if (tokenFile !== undefined) keepFile(opened, tokenFile, options.fileFailed)
  return {
    environment: environmentOf(opened, routing(), options),
    async close() {
      await proxy.close()
      if (tokenFile !== undefined) rmSync(tokenFile, { force: true })
    },
  }
}

/** An API's name is what its operations begin with. */
function apisOf({ session }: TaskSession): SessionApi[] {
  return session.tokens.map(({ resource, scope: [operation = ""] }, at) => ({
    resource,
    name: operation.split(":")[0] || `api-${at + 1}`,
  }))
}

/** Paths are absolute: the agent may go to another folder. */
function environmentOf(opened: TaskSession, routing: Routing, options: DoorOptions): Record<string, string> {
  const { authority, apis, secret } = routing
  const base = `http://${authority ?? "localhost"}`
  const bases = apis.map((api) => [variableOf(api), `${base}${pathOf(secret, api)}`])
  const forward = authority === undefined ? {} : proxyVariables(`http://session:${secret}@${authority}`)
  return {
    ...Object.fromEntries(bases),
    ...forward,
    TASKMINT_TASK: opened.task,
    TASKMINT_SESSION_URL: base,
    ...(options.socket !== undefined && { TASKMINT_SESSION_SOCKET: absolute(options.socket) }),
    ...(options.givesTokens && { TASKMINT_SESSION_SECRET: secret }),
    ...(options.tokenFile !== undefined && { TASKMINT_TOKEN_FILE: absolute(options.tokenFile) }),
  }
}

/** Only for http: what goes to https servers is a tunnel, into which no token can be put. */
const proxyVariables = (url: string) => ({ http_proxy: url, HTTP_PROXY: url, no_proxy: "", NO_PROXY: "" })

function listenOnLoopback(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => resolve(portOf(server.address())))
  })
}

/** The file is the owner's alone from the moment when it is there. */
function listenOnSocket(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const code = "code" in cause ? String(cause.code) : cause.message
      reject(wrongUse(`Can't listen on ${path} (${code})`, "Name a new file in a folder of yours"))
    })
    const before = process.umask(0o177)
    try {
      server.listen(path, () => {
        chmodSync(path, 0o600)
        resolve()
      })
    } finally {
      process.umask(before)
    }
  })
}

/** Written at once and after every renewal, always whole. */
function keepFile({ session, onChange }: TaskSession, path: string, failed: () => void): void {
  const write = () => {
    const tokens = session.tokens.map(({ resource, token, tokenType, expiresAt }) => ({
      resource,
      access_token: token.reveal(),
      token_type: tokenType,
      expires_at: toInstant(expiresAt),
    }))
    replaceSecret(path, `${JSON.stringify({ tokens })}\n`)
  }
  onChange(() => {
    try {
      write()
    } catch {
      failed() // the task goes on: its other calls need no file
    }
  })
  write()
}
