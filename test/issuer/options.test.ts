import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import { createIssuer } from "../../src/issuer/issuer.ts"
import { openHouse } from "../support/issuer-house.ts"

describe("the issuer's own URL", () => {
  // The folder does not exist: misuse is found before anything is opened.
  const options = { database: "/nowhere/issuer.db", policies: "/nowhere", keyEncryptionKey: randomBytes(32) }

  test.each([
    "http://taskmint.internal",
    "http://127.0.0.1.example.com",
    "https://taskmint.internal/",
    "https://taskmint.internal/path",
    "https://TASKMINT.internal",
    "https://taskmint.internal:443",
    "https://user@taskmint.internal",
    "ftp://taskmint.internal",
    "taskmint",
    "",
  ])("%j is misuse", async (issuer) => {
    await expect(createIssuer({ ...options, issuer })).rejects.toThrow(TypeError)
  })

  test("plain http is taken on loopback, and elsewhere only under its ugly name", async () => {
    for (const issuer of ["http://127.0.0.1:8787", "http://localhost:8787", "http://[::1]:8787"])
      await expect(createIssuer({ ...options, issuer }), issuer).rejects.not.toThrow(TypeError)
    const house = await openHouse({ issuer: "http://taskmint.internal", dangerouslyAllowPlainHttp: true })
    const { body } = await house.ask("GET", "/.well-known/oauth-authorization-server")
    expect(body.issuer).toBe("http://taskmint.internal")
    await house.remove()
  })
})
