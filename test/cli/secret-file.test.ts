import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, test } from "vitest"
import { createCredential } from "../../src/cli/credential.ts"
import { Stop } from "../../src/cli/exit.ts"
import { readKeyEncryptionKey, readSecret, writeNew } from "../../src/cli/secret-file.ts"
import { importSigningKey, KeyFault, readKeySet } from "../../src/token/signature.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-secret-"))
afterAll(() => rmSync(folder, { recursive: true }))
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe("a file is written whole, for its owner, and never over another", () => {
  test("0600 whatever the umask says, and nothing beside it", () => {
    const before = process.umask(0)
    try {
      writeNew(join(folder, "a", "key"), "secret")
    } finally {
      process.umask(before)
    }
    expect([modeOf(join(folder, "a")), modeOf(join(folder, "a", "key"))]).toEqual(["700", "600"])
    expect(readFileSync(join(folder, "a", "key"), "utf8")).toBe("secret")
    expect(readdirSync(join(folder, "a"))).toEqual(["key"])
  })

  test("another file stays, and so does what a link points to", () => {
    writeNew(join(folder, "b"), "first")
    symlinkSync(join(folder, "elsewhere"), join(folder, "link"))
    for (const name of ["b", "link"]) expect(() => writeNew(join(folder, name), "second")).toThrow(Stop)
    expect(readFileSync(join(folder, "b"), "utf8")).toBe("first")
    expect(existsSync(join(folder, "elsewhere"))).toBe(false)
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([])
  })
})

describe("a secret is read only when nobody else can", () => {
  const cases: readonly (readonly [mode: number, read: boolean])[] = [
    [0o600, true],
    [0o400, true],
    [0o640, false],
    [0o604, false],
    [0o644, false],
    [0o660, false],
    [0o602, false],
  ]
  for (const [mode, read] of cases)
    test(`mode ${mode.toString(8)}: ${read ? "read" : "refused, with what to do"}`, () => {
      const path = join(folder, `mode-${mode.toString(8)}`)
      writeFileSync(path, "secret")
      chmodSync(path, mode)
      if (read) expect(readSecret(path, "X_FILE")).toBe("secret")
      else
        expect(() => readSecret(path, "X_FILE")).toThrow(
          expect.objectContaining({ hint: `Run: chmod 600 ${path}` }),
        )
    })

  // Only root gives files away.
  test.skipIf(process.geteuid?.() !== 0).each([
    ["440", true],
    ["640", true],
    ["460", false],
    ["450", false],
    ["444", false],
    ["604", false],
  ])("of another owner, with mode %s: its group may read it and nobody else: %s", (mode, read) => {
    const path = join(folder, `mounted-${mode}`)
    writeFileSync(path, "secret")
    chownSync(path, 12_345, 12_345)
    chmodSync(path, Number.parseInt(mode, 8))
    if (read) expect(readSecret(path, "X_FILE")).toBe("secret")
    else expect(() => readSecret(path, "X_FILE")).toThrow(expect.objectContaining({ exitCode: 2 }))
  })

  test("what is larger than any key is not read", () => {
    writeFileSync(join(folder, "large"), "x".repeat(64 * 1024), { mode: 0o600 })
    expect(readSecret(join(folder, "large"), "X_FILE")).toHaveLength(64 * 1024)
    writeFileSync(join(folder, "larger"), "x".repeat(64 * 1024 + 1), { mode: 0o600 })
    expect(() => readSecret(join(folder, "larger"), "X_FILE")).toThrow("is larger than any key")
  })

  test("a link is followed to what it names, and that is judged", () => {
    const target = join(folder, "target")
    writeFileSync(target, "secret")
    chmodSync(target, 0o644)
    symlinkSync(target, join(folder, "to-target"))
    expect(() => readSecret(join(folder, "to-target"), "X_FILE")).toThrow(Stop)
    chmodSync(target, 0o600)
    expect(readSecret(join(folder, "to-target"), "X_FILE")).toBe("secret")
  })

  for (const [what, path] of [
    ["not there", join(folder, "nothing")],
    ["a folder", folder],
  ] as const)
    test(what, () => {
      expect(() => readSecret(path, "X_FILE")).toThrow(expect.objectContaining({ exitCode: 2 }))
    })
})

describe("a key-encryption key is 32 bytes in their one spelling", () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => 255 - at)
  const text = Buffer.from(bytes).toString("base64url")
  test("base64url is read", () => {
    expect(Buffer.from(readKeyEncryptionKey(text))).toEqual(Buffer.from(bytes))
  })

  // The last character has four bits that no byte takes up.
  test.each([
    ["padded", `${text}=`],
    ["base64", Buffer.from(bytes).toString("base64")],
    ["with other bits at its end", `${text.slice(0, -1)}${text.at(-1) === "B" ? "C" : "B"}`],
    ["with a space", ` ${text}`],
    ["31 bytes", text.slice(0, -2)],
    ["33 bytes", Buffer.alloc(33, 7).toString("base64url")],
    ["nothing", ""],
  ])("%s is refused, and not repeated", (_, given) => {
    const read = () => readKeyEncryptionKey(given)
    expect(read).toThrow(expect.objectContaining({ exitCode: 2 }))
    expect(read).not.toThrow(text.slice(0, 20))
  })
})

describe("a credential is a private key for its owner and a public key set for the policy", () => {
  for (const algorithm of ["ES256", "EdDSA"] as const)
    test(algorithm, () => {
      const places = { privateTo: join(folder, algorithm), publicTo: join(folder, algorithm, "public") }
      const made = createCredential("tickets", places, algorithm)
      expect([modeOf(made.privateFile), modeOf(made.publicFile)]).toEqual(["600", "644"])
      const key = importSigningKey(JSON.parse(readFileSync(made.privateFile, "utf8")))
      const set = readKeySet(JSON.parse(readFileSync(made.publicFile, "utf8")))
      expect(set).not.toBeInstanceOf(KeyFault)
      expect(set instanceof Map && set.get(made.kid)?.thumbprint).toBe(key.thumbprint)
      expect(readFileSync(made.publicFile, "utf8")).not.toContain('"d"')
    })

  test("neither half is overwritten, nor one made without the other", () => {
    const places = { privateTo: join(folder, "p"), publicTo: join(folder, "q") }
    writeNew(join(folder, "q", "tickets.jwks.json"), "{}")
    expect(() => createCredential("tickets", places)).toThrow(Stop)
    expect(existsSync(join(folder, "p"))).toBe(false)
  })

  for (const name of ["", "Tickets", "1a", "a/b", "../a", "a b", "a".repeat(64)])
    test(`"${name}" is no name of a policy`, () => {
      expect(() => createCredential(name, { privateTo: folder, publicTo: folder })).toThrow(Stop)
    })
})
