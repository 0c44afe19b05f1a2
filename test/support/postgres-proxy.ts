// Stands between an engine and its server, and does what networks do: at one moment it cuts before a message arrives or
// after it was answered, or goes on holding the connection and passes nothing; or it is slow all the time.
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { setTimeout as pause, setImmediate } from "node:timers/promises"

/** One message on its way to the server; nothing passes until it is told what to do. */
export interface Held {
  /** Lets it arrive; resolves when it was answered. The answer is held too. */
  deliver(): Promise<void>
  /** Everything passes again, what was held first. */
  pass(): void
  cut(): void
  /** Holds this connection for ever: neither side hears of the other. */
  mute(): void
}

/** How everything passes, in either direction. */
export type Manner =
  | "promptly"
  /** Accepts connections and passes nothing. */
  | "never"
  | { readonly lateMilliseconds: number }
  | { readonly bytes: number; readonly everyMilliseconds: number }
  /** Of what the server says, and then no more: the connection is reset. */
  | { readonly answerBytes: number }

export interface Wire {
  readonly address: string
  /** From now on, on every connection that there is and will be. */
  pass(manner: Manner): void
  /** Holds the next message that has this text, once; resolves when `act` is done. */
  at(text: string, act: (held: Held) => Promise<void> | void): Promise<void>
  /** Holds the COMMIT of the next transaction that said this text, once; others' pass. */
  atCommitOf(text: string, act: (held: Held) => Promise<void> | void): Promise<void>
  close(): Promise<void>
}

interface Trap {
  /** Asked of every chunk on its way to the server. */
  readonly holds: (chunk: Buffer, connection: object) => boolean
  readonly act: (held: Held) => Promise<void> | void
  readonly done: PromiseWithResolvers<void>
}

export async function startProxy(address: string): Promise<Wire> {
  const { hostname, port } = new URL(address)
  const sockets = new Set<Socket>()
  let trap: Trap | undefined
  let manner: Manner = "promptly"
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname)
    for (const socket of [client, server]) {
      sockets.add(socket.on("error", () => undefined))
      socket.once("close", () => sockets.delete(socket))
    }
    const pace = (to: Socket) => createPace(to, () => manner)
    relay({ client, server, toClient: pace(client), toServer: pace(server) }, (chunk) => {
      if (!trap?.holds(chunk, client)) return undefined
      const sprung = trap
      trap = undefined
      return sprung
    })
  })
  proxy.listen(0, "127.0.0.1")
  await once(proxy, "listening")
  const set = (holds: Trap["holds"], act: Trap["act"]): Promise<void> => {
    const done = Promise.withResolvers<void>()
    trap = { holds, act, done }
    return done.promise
  }
  const own = new URL(address)
  own.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
  return {
    address: own.href,
    pass(next) {
      manner = next
    },
    at: (text, act) => set((chunk) => chunk.includes(text), act),
    atCommitOf: (text, act) => set(commitOf(text), act),
    async close() {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Of whatever a connection says, whether that commits a transaction which said the text. */
function commitOf(text: string): Trap["holds"] {
  const saying = new WeakSet<object>()
  return (chunk, connection) => {
    if (chunk.includes(text)) saying.add(connection)
    return chunk.includes("COMMIT") && saying.delete(connection)
  }
}

/** Passes chunks on, in order, as the manner of the moment is. */
function createPace(to: Socket, manner: () => Manner): (chunk: Buffer, answer?: boolean) => void {
  let answered = 0
  let before = Promise.resolve()
  const pass = async (chunk: Buffer, answer: boolean): Promise<void> => {
    const now = manner()
    if (now === "promptly") return void to.write(chunk)
    if (now === "never") return
    if ("lateMilliseconds" in now || ("answerBytes" in now && !answer)) return void to.write(chunk)
    if ("answerBytes" in now) {
      to.write(chunk.subarray(0, Math.max(0, now.answerBytes - answered)))
      answered += chunk.length
      if (answered > now.answerBytes) to.resetAndDestroy()
      return
    }
    let at = 0
    for (; at < chunk.length && manner() === now && !to.destroyed; at += now.bytes) {
      to.write(chunk.subarray(at, at + now.bytes))
      await (now.everyMilliseconds > 0 ? pause(now.everyMilliseconds) : setImmediate())
    }
    to.write(chunk.subarray(at))
  }
  return (chunk, answer = false) => {
    const now = manner()
    const late =
      typeof now === "object" && "lateMilliseconds" in now ? pause(now.lateMilliseconds) : undefined
    before = Promise.all([before, late]).then(() => pass(chunk, answer))
  }
}

interface Ends {
  readonly client: Socket
  readonly server: Socket
  readonly toClient: (chunk: Buffer, answer: true) => void
  readonly toServer: (chunk: Buffer) => void
}

function relay(ends: Ends, spring: (chunk: Buffer) => Trap | undefined): void {
  const { client, server } = ends
  const toServer: Buffer[] = []
  const toClient: Buffer[] = []
  let holding = false
  let muted = false
  let answered: (() => void) | undefined
  // Of a connection that is muted neither side hears that the other has gone.
  client.once("close", () => muted || server.destroy())
  server.once("close", () => muted || client.destroy())
  client.on("data", (chunk: Buffer) => {
    const sprung = holding ? undefined : spring(chunk)
    if (sprung) holding = true
    if (!holding) return ends.toServer(chunk)
    toServer.push(chunk)
    if (sprung) void Promise.resolve(sprung.act(held)).then(sprung.done.resolve, sprung.done.reject)
  })
  server.on("data", (chunk: Buffer) => {
    if (!holding) return ends.toClient(chunk, true)
    toClient.push(chunk)
    answered?.()
  })
  const held: Held = {
    deliver: () =>
      new Promise((resolve) => {
        answered = resolve
        server.once("close", () => resolve())
        for (const chunk of toServer.splice(0)) server.write(chunk)
      }),
    pass() {
      holding = false
      for (const chunk of toServer.splice(0)) server.write(chunk)
      for (const chunk of toClient.splice(0)) client.write(chunk)
    },
    cut() {
      client.destroy()
      server.destroy()
    },
    mute() {
      muted = true
    },
  }
}
