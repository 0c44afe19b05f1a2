// An issuer in a process of its own, to be killed. Its argument is a folder with `policies`, a key-encryption key in
// `kek` and the private key of the orchestrator in `orchestrator.jwk`; it prints its address once it listens. Further
// arguments are the issuer's name, a port, for one that takes another's place, and the address of a PostgreSQL database,
// which several can share.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { openPostgres } from "../../src/database/postgres.ts"
import { createIssuer } from "../../src/issuer/issuer.ts"

const [folder = "", issuerUrl = "", port = "0", address] = process.argv.slice(2)
const issuer = await createIssuer({
  issuer: issuerUrl,
  database: address === undefined ? join(folder, "issuer.db") : await openPostgres({ address }),
  policies: join(folder, "policies"),
  keyEncryptionKey: readFileSync(join(folder, "kek")),
})
const server = createServer(getRequestListener(issuer.fetch))
server.listen(Number(port), "127.0.0.1", () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
