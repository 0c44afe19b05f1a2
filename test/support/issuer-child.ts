// An issuer in a process of its own, to be killed. Its argument is a folder with `policies`, a key-encryption key in
// `kek`; it prints its address once it listens. Further arguments are the issuer's name, a port, for one that takes
// another's place, and where its data is, as `openDatabase` is told: several can share a PostgreSQL database.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { createIssuer } from "../../src/issuer/issuer.ts"

const [folder = "", issuerUrl = "", port = "0", place = join(folder, "issuer.db")] = process.argv.slice(2)
const issuer = await createIssuer({
  issuer: issuerUrl,
  database: place,
  policies: join(folder, "policies"),
  keyEncryptionKey: readFileSync(join(folder, "kek")),
})
const server = createServer(getRequestListener(issuer.fetch))
server.listen(Number(port), "127.0.0.1", () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
