// The one JSON reader for text that others wrote. RFC 8259, minus everything on which two readers could differ:
// duplicate members, names that reach a prototype, numbers that don't survive, half surrogates, depth. It decides
// nothing about what the members mean.
import { Members } from "./members.ts"

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
/** Objects inherit nothing: a member that was not written is undefined, whatever its name. */
export interface JsonObject {
  readonly [member: string]: JsonValue | undefined
}

export type JsonFaultTag = "size" | "json" | "json_duplicate" | "json_member"

/** Why a text was not read. Carries no piece of it. */
export class JsonFault {
  readonly tag: JsonFaultTag

  constructor(tag: JsonFaultTag) {
    this.tag = tag
  }
}

export interface JsonLimits {
  /** How deep objects and arrays may nest. Default 8. */
  readonly maxDepth?: number
  /** In UTF-16 units. Default 64 Ki. */
  readonly maxLength?: number
  /** Numbers that are not safe integers in plain decimal spelling are refused unless this is set. */
  readonly allowFractions?: boolean
}

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Reads one JSON value and nothing around it but white space. Never throws on any text. */
export function parseJson(text: string, limits: JsonLimits = {}): JsonValue | JsonFault {
  if (text.length > (limits.maxLength ?? 65_536)) return new JsonFault("size")
  if (!text.isWellFormed()) return new JsonFault("json")
  const scanner = new Scanner(text, limits.maxDepth ?? 8, limits.allowFractions ?? false)
  try {
    return scanner.document()
  } catch (stop) {
    if (stop instanceof JsonFault) return stop
    throw stop
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const REACHES_PROTOTYPE = new Set(["__proto__", "constructor", "prototype"])
const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d]

class Scanner {
  private readonly text: string
  private readonly allowFractions: boolean
  private depthLeft: number
  private at = 0

  constructor(text: string, maxDepth: number, allowFractions: boolean) {
    this.text = text
    this.depthLeft = maxDepth
    this.allowFractions = allowFractions
  }

  document(): JsonValue {
    const value = this.value()
    if (!Number.isNaN(this.peek())) throw new JsonFault("json")
    return value
  }

  private value(): JsonValue {
    switch (this.peek()) {
      case QUOTE:
        return this.string()
      case OPEN_OBJECT:
        return this.object()
      case OPEN_ARRAY:
        return this.array()
      case 0x74:
        return this.word("true", true)
      case 0x66:
        return this.word("false", false)
      case 0x6e:
        return this.word("null", null)
      default:
        return this.number()
    }
  }

  private object(): JsonObject {
    this.enter()
    const object = new Members<JsonValue>()
    if (!this.took(CLOSE_OBJECT)) {
      do {
        if (this.peek() !== QUOTE) throw new JsonFault("json")
        const name = this.string()
        if (REACHES_PROTOTYPE.has(name)) throw new JsonFault("json_member")
        if (object[name] !== undefined) throw new JsonFault("json_duplicate")
        this.take(COLON)
        object[name] = this.value()
      } while (this.took(COMMA))
      this.take(CLOSE_OBJECT)
    }
    this.depthLeft += 1
    return object
  }

  private array(): JsonValue[] {
    this.enter()
    const items: JsonValue[] = []
    if (!this.took(CLOSE_ARRAY)) {
      do items.push(this.value())
      while (this.took(COMMA))
      this.take(CLOSE_ARRAY)
    }
    this.depthLeft += 1
    return items
  }

  private enter(): void {
    this.at += 1
    this.depthLeft -= 1
    if (this.depthLeft < 0) throw new JsonFault("size")
  }

  private string(): string {
    const { text, at: start } = this
    let escaped = false
    for (let at = start + 1; at < text.length; at += 1) {
      const unit = text.charCodeAt(at)
      if (unit === QUOTE) {
        this.at = at + 1
        return escaped ? unescaped(text.slice(start, at + 1)) : text.slice(start + 1, at)
      }
      if (unit < 0x20) break
      if (unit === BACKSLASH) {
        escaped = true
        at += 1
      }
    }
    throw new JsonFault("json")
  }

  private number(): number {
    NUMBER.lastIndex = this.at
    if (!NUMBER.test(this.text)) throw new JsonFault("json")
    const spelled = this.text.slice(this.at, NUMBER.lastIndex)
    this.at = NUMBER.lastIndex
    const value = Number(spelled)
    const plain = Number.isSafeInteger(value) && String(value) === spelled
    const survives = this.allowFractions ? Number.isFinite(value) : plain
    if (!survives || Object.is(value, -0)) throw new JsonFault("json")
    return value
  }

  private word<T extends boolean | null>(spelled: string, value: T): T {
    if (!this.text.startsWith(spelled, this.at)) throw new JsonFault("json")
    this.at += spelled.length
    return value
  }

  /** The next unit after white space; NaN at the end. */
  private peek(): number {
    for (;;) {
      const unit = this.text.charCodeAt(this.at)
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return unit
      this.at += 1
    }
  }

  private took(unit: number): boolean {
    if (this.peek() !== unit) return false
    this.at += 1
    return true
  }

  private take(unit: number): void {
    if (!this.took(unit)) throw new JsonFault("json")
  }
}

function unescaped(literal: string): string {
  const value = decoded(literal)
  if (value === undefined || !value.isWellFormed()) throw new JsonFault("json")
  return value
}

function decoded(literal: string): string | undefined {
  try {
    const value: unknown = JSON.parse(literal)
    return typeof value === "string" ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
