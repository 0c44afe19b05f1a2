// Catalogue K19, and K07 for people who look at a terminal: what others wrote is one line of a log, and nothing that a
// terminal obeys, whoever forgot to escape it.
import { PassThrough, Writable } from "node:stream"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { forScreen } from "../../src/cli/escape.ts"
import { createLog } from "../../src/cli/log.ts"
import { createTerminal } from "../../src/cli/terminal.ts"

/** What readers of lines and terminals obey, but for the end of a line. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u

const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ["a second record", 'x"}\n{"level":"info","msg":"root logged in"}'],
  ["a carriage return that writes over the line", 'x\r{"level":"info"}'],
  ["the end of a JSON string", '","level":"fatal","x":"'],
  ["an escape of JSON's", "\\u000a\\n"],
  ["colours and cursor moves", "\u001b[2J\u001b[1;1H\u001b[31mred"],
  ["the eight-bit introducer", "\u009b2J"],
  ["a window's title and the clipboard", "\u001b]0;x\u0007\u001b]52;c;cm0gLXJm\u0007"],
  ["a link that shows another address", "\u001b]8;;https://evil.example\u001b\\tickets\u001b]8;;\u001b\\"],
  ["a device's answer", "\u001b[6n\u001bP+q544e\u001b\\"],
  ["text that runs backwards", "a\u202etxt.exe\u2066"],
  ["line and paragraph separators", "a\u2028b\u2029c\u0085d"],
  ["delete and zero", "a\u007fb\0c"],
  ["what is not seen", "a\u200b\u{e0041}\ufeff\u00ad"],
  ["half a pair", "a\ud800b"],
  ["hidden text", "\u001b[8mhidden\u001b[28m"],
]

let records = ""
const sink = new Writable({
  write(part, _encoding, done) {
    records += String(part)
    done()
  },
})
const log = createLog(sink)

function logged(write: () => void): string {
  records = ""
  write()
  return records
}

const error = (text: string) => Object.assign(new Error(text, { cause: new Error(text) }), { code: text })
const PLACES: readonly (readonly [where: string, write: (text: string) => void])[] = [
  ["message", (text) => log.info(text)],
  ["member", (text) => log.info({ agent: text, list: [text] }, "x")],
  ["member's name", (text) => log.info({ [`x${text}`]: 1 }, "x")],
  ["error, its code and its cause", (text) => log.error({ err: error(text) }, "fault")],
]

describe("K19 the log", () => {
  test.each(HOSTILE)("K19 %s is text within one record", (_what, text) => {
    for (const [where, write] of PLACES) {
      const written = logged(() => write(text))
      expect(written.endsWith("\n"), where).toBe(true)
      const line = written.slice(0, -1)
      expect(line, where).not.toMatch(OBEYED)
      expect(Object.keys(JSON.parse(line)).slice(0, 2), where).toEqual(["level", "time"])
    }
    const { msg } = JSON.parse(logged(() => log.info(text)))
    expect(msg).toBe(text)
  })

  test("K19 so is any other text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const written = logged(() => log.info({ agent: text }, "x"))
        expect(written.split("\n")).toHaveLength(2)
        expect(written.slice(0, -1)).not.toMatch(OBEYED)
        if (!text.includes("eyJ")) expect(JSON.parse(written).agent).toBe(text)
      }),
    )
  })
})

/** What a person sees: a stream that says it is a terminal. */
function onTerminal(use: (terminal: ReturnType<typeof createTerminal>) => void): string {
  const stream = Object.assign(new PassThrough(), { isTTY: true })
  use(createTerminal(stream, stream))
  return String(stream.read() ?? "")
}

describe("K07 a terminal", () => {
  test.each(HOSTILE)("K07 %s does nothing there, escaped by the command or not", (_what, text) => {
    const shown = onTerminal((terminal) => {
      terminal.print(`purpose: ${text}`)
      terminal.note(text)
      terminal.table(["Agent"], [[text]])
      terminal.json({ purpose: text })
    })
    expect(shown.replaceAll(/\r?\n|\u001b\[(1|22|31|39)m/g, "")).not.toMatch(OBEYED)
  })

  test("K07 colours of our own, lines and tabs stay as they are", () => {
    const text = "\u001b[1mbold\u001b[22m \u001b[31mred\u001b[39m\n\tnext: Zażółć 🙂\r\n"
    expect(forScreen(text)).toBe(text)
  })

  test("K07 a program that reads gets the bytes as they are: only a terminal obeys", () => {
    const stream = new PassThrough()
    createTerminal(stream, stream).print("a\u200bb")
    expect(String(stream.read())).toBe("a\u200bb\n")
  })
})
