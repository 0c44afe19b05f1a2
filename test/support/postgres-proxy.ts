// Stands between an engine and its server, and at one moment does what networks do: it cuts before a message arrives or
// after it was answered, or goes on holding the connection and passes nothing.
import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

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

export interface Wire {
  readonly address: string
  /** Holds the next message that has this text, once; resolves when `act` is done. */
  at(text: string, act: (held: Held) => Promise<void> | void): Promise<void>
  close(): Promise<void>
}

interface Trap {
  readonly text: string
  readonly act: (held: Held) => Promise<void> | void
  readonly done: PromiseWithResolvers<void>
}

export async function startProxy(address: string): Promise<Wire> {
  const { hostname, port } = new URL(address)
  const sockets = new Set<Socket>()
  let trap: Trap | undefined
  const proxy = createServer((client) => {
    const server = connect(Number(port), hostname)
    for (const socket of [client, server]) {
      sockets.add(socket.on("error", () => undefined))
      socket.once("close", () => sockets.delete(socket))
    }
    relay(client, server, (chunk) => {
      if (!trap || !chunk.includes(trap.text)) return undefined
      const sprung = trap
      trap = undefined
      return sprung
    })
  })
  proxy.listen(0, "127.0.0.1")
  await once(proxy, "listening")
  const own = new URL(address)
  own.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`
  return {
    address: own.href,
    at(text, act) {
      const done = Promise.withResolvers<void>()
      trap = { text, act, done }
      return done.promise
    },
    async close() {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function relay(client: Socket, server: Socket, spring: (chunk: Buffer) => Trap | undefined): void {
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
    if (!holding) return void server.write(chunk)
    toServer.push(chunk)
    if (sprung) void Promise.resolve(sprung.act(held)).then(sprung.done.resolve, sprung.done.reject)
  })
  server.on("data", (chunk: Buffer) => {
    if (!holding) return void client.write(chunk)
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
