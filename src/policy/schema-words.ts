// The kinds of values that policy and scenario files are made of: names, texts, lists, durations, counts.
import { z } from "zod"
import { parseDuration } from "../time.ts"
import { NAME, OPERATION } from "../token/name.ts"

const CONTROL_OR_BIDI = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u

export const name = z
  .string()
  .regex(NAME, "expected a name: a-z first, then a-z, 0-9 and -, at most 63 characters")
export const operation = z
  .string()
  .regex(OPERATION, "expected an operation such as tickets:read: the API's name, a colon, a word")
export const text = (longest: number) =>
  z
    .string()
    .min(1, "expected a text, found an empty one")
    .max(longest, `expected at most ${longest} characters`)
    .refine((value) => !CONTROL_OR_BIDI.test(value), "expected no control or bidirectional characters")

/** A list that is never empty and names nothing twice. */
export const list = <Item extends z.ZodType<string>>(item: Item) =>
  z
    .array(item)
    .min(1, "expected at least one item")
    .refine((items) => new Set(items).size === items.length, "expected each item once")

export const members = <Key extends z.ZodType<string, string>, Value extends z.ZodType>(
  key: Key,
  value: Value,
  atLeast = 0,
) =>
  z
    .record(key, value)
    .refine((object) => Object.keys(object).length >= atLeast, `expected at least ${atLeast} member`)

/** A duration as policies write it, within both ends. */
export const duration = (shortest: string, longest: string) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,6})[smhd]$/, {
      error: `expected a duration such as ${shortest}, from ${shortest} to ${longest}`,
      abort: true,
    })
    .refine((value) => {
      const seconds = parseDuration(value) ?? -1
      return seconds >= (parseDuration(shortest) ?? 0) && seconds <= (parseDuration(longest) ?? 0)
    }, `expected a duration from ${shortest} to ${longest}`)

export const count = z
  .int("expected a whole number")
  .min(1, "expected at least 1")
  .max(1_000_000, "expected at most 1000000")
