// An issuer whose signing key it never sees: another process holds it and signs, as a KMS or an HSM does.
import { fork } from "node:child_process"
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { serve } from "@hono/node-server"
import { createIssuer } from "taskmint/issuer"

const KEY_FILE = "acme/signing-1.pem"

if (process.argv[2] === "signer") holdKey()
else await issue()

/** The other process. In its place stand the calls of your KMS: `kms.sign(...)` with a digest, DER turned into r and s. */
function holdKey() {
  if (!existsSync(KEY_FILE)) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    writeFileSync(KEY_FILE, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 })
  }
  const key = createPrivateKey(readFileSync(KEY_FILE))
  process.send?.({ publicJwk: createPublicKey(key).export({ format: "jwk" }) })
  process.on("message", ({ id, input }: { id: number; input: string }) => {
    const signature = sign("sha256", Buffer.from(input, "base64"), { key, dsaEncoding: "ieee-p1363" })
    process.send?.({ id, signature: signature.toString("base64") })
  })
  process.on("disconnect", () => process.exit(0))
}

async function issue() {
  const child = fork(process.argv[1] ?? "", ["signer"])
  const publicJwk = await new Promise<object>((resolve) =>
    child.once("message", (first: { publicJwk: object }) => resolve(first.publicJwk)),
  )
  const waiting = new Map<number, (signature: Uint8Array) => void>()
  child.on("message", ({ id, signature }: { id: number; signature: string }) => {
    waiting.get(id)?.(Buffer.from(signature, "base64"))
    waiting.delete(id)
  })
  let count = 0

  const issuer = await createIssuer({
    issuer: "http://127.0.0.1:8787",
    database: "acme/signer.db",
    policies: "acme/policies",
    keyEncryptionKey: Buffer.from(readFileSync("acme/key-encryption.key", "utf8").trim(), "base64url"),
    signers: [
      {
        publicJwk,
        // What takes longer than two seconds, or is not by this key, is no token: the issuer sees to that.
        sign: (input) =>
          new Promise((resolve) => {
            const id = count++
            waiting.set(id, resolve)
            child.send({ id, input: Buffer.from(input).toString("base64") })
          }),
      },
    ],
  })
  const server = serve({ fetch: issuer.fetch, hostname: "127.0.0.1", port: 8787 }, () =>
    console.log("listening"),
  )

  process.once("SIGTERM", async () => {
    issuer.drain()
    server.close()
    await issuer.close()
    child.disconnect()
    process.exit(0)
  })
}
