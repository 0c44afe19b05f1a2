// An issuer in a process of its own, to be killed. Its argument is a folder with `policies`, a key-encryption key in
// `kek`; it prints its address once it listens. Further arguments are the issuer's name, a port, for one that takes
// another's place, and where its data is, as `openDatabase` is told: several can share a PostgreSQL database. A number that
// it is sent is by how many milliseconds its clock is then ahead.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { createIssuer } from "../../src/issuer/issuer.ts"
import { type Clock, systemClock } from "../../src/time.ts"

const [folder = "", issuerUrl = "", port = "0", place = join(folder, "issuer.db")] = process.argv.slice(2)
let ahead = 0
const clock: Clock = {
  now: () => systemClock.now() + ahead,
  monotonic: () => systemClock.monotonic() + ahead,
}
process.on("message", (milliseconds) => {
  ahead = Number(milliseconds)
})
const issuer = await createIssuer({
  clock,
  issuer: issuerUrl,
  database: place,
  policies: join(folder, "policies"),
  keyEncryptionKey: readFileSync(join(folder, "kek")),
})
const server = createServer(getRequestListener(issuer.fetch))
server.listen(Number(port), "127.0.0.1", () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
