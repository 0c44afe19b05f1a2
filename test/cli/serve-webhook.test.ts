// Webhooks as flags and variables of `serve`: what they must be like is the issuer's to say (test/issuer/webhook.test.ts).
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { type ExampleFolder, writeExampleFolder } from "../../src/cli/example-folder.ts"
import { runCli } from "../support/command-line.ts"
import { serveSettings } from "../support/serve-settings.ts"

// Every case is a process of its own.
vi.setConfig({ testTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-serve-webhook-"))
let house: ExampleFolder
beforeAll(() => {
  house = writeExampleFolder(join(folder, "house"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("it does not start", () => {
  test.each<[string, Record<string, string>, readonly string[], RegExp]>([
    [
      "with a second webhook that is plain http",
      {},
      ["--webhook", "https://a.example/x", "--webhook", "http://events.example/secret-path"],
      /^(?![\s\S]*secret-path)[\s\S]*events\.example is not asked without https/,
    ],
    [
      "with a webhook at a private address that is not listed",
      { TASKMINT_WEBHOOK: "https://a.example/x, https://10.1.2.3/x" },
      ["--webhook-allow-private", "10.1.2.4"],
      /10\.1\.2\.3 is at an address that may not be asked/,
    ],
    [
      "with private hosts that no webhook is at",
      { TASKMINT_WEBHOOK: "https://a.example/x", TASKMINT_WEBHOOK_ALLOW_PRIVATE: "10.1.2.4" },
      [],
      /no webhook is at the private host 10\.1\.2\.4/,
    ],
    ["with private hosts and no webhook", { TASKMINT_WEBHOOK_ALLOW_PRIVATE: "10.1.2.4" }, [], /--webhook/],
  ])("%s", async (_what, env, args, says) => {
    const ended = await runCli(["serve", ...args], {
      env: {
        ...serveSettings(house),
        ...env,
      },
      cwd: folder,
    })
    expect(ended.stderr).toMatch(says)
    expect(ended.code).toBe(2)
    expect(ended.stderr).not.toMatch(/\n\s+at /)
  })
})
