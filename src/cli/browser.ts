// The person's browser: a page is opened in it, and where a provider sends it back to is listened for on this computer
// alone (RFC 8252 section 7.3). It decides which request is the answer that is waited for; what it says is sign-in.ts's.
import { spawn } from "node:child_process"
import { createServer, type ServerResponse } from "node:http"
import { bind, closeWithin, LIMITS, portOf } from "./server.ts"

const OPENERS: Readonly<Record<string, readonly string[]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
}

/** Tries to open a page, without a shell. Does NOT say whether that worked: the URL is printed as well. */
export function openPage(url: string): void {
  const [program = "", ...before] = OPENERS[process.platform] ?? ["xdg-open"]
  const child = spawn(program, [...before, url], { detached: true, stdio: "ignore" })
  child.on("error", () => undefined)
  child.unref()
}

export interface ComingBack {
  /** Where the provider is to send the browser. */
  readonly redirectUri: string
  /** The URL that the browser came back with, or undefined when it did not in time. */
  arrival(): Promise<URL | undefined>
  close(): Promise<void>
}

const PATH = "/callback"

/** Listens on a port that nobody else knows yet. Whatever does not bring this `state` is turned away and waited past. */
export async function awaitBrowser(state: string, milliseconds: number): Promise<ComingBack> {
  const { promise, resolve } = Promise.withResolvers<URL | undefined>()
  const server = createServer(LIMITS, (incoming, outgoing) => {
    const url = URL.canParse(incoming.url ?? "", origin()) ? new URL(incoming.url ?? "", origin()) : undefined
    if (incoming.method !== "GET" || url?.pathname !== PATH)
      return answer(outgoing, 404, "There is no such page")
    if (url.searchParams.get("state") !== state)
      return answer(outgoing, 400, "This is not the sign-in that was begun at the command line")
    answer(outgoing, 200, "The command line goes on. This page can be closed")
    resolve(url)
  })
  server.maxConnections = 16
  await bind(server, "127.0.0.1", 0, "port")
  const origin = () => `http://127.0.0.1:${portOf(server.address())}`
  const timer = setTimeout(() => resolve(undefined), milliseconds)
  return {
    redirectUri: `${origin()}${PATH}`,
    arrival: () => promise,
    close() {
      clearTimeout(timer)
      return closeWithin(server, 500)
    },
  }
}

function answer(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    connection: "close",
  })
  outgoing.end(`${text}.\n`)
}
