// What was found, token by token, in however many places: bounded in memory by the number of tokens and not by how often
// each stands somewhere. It decides what is one finding; what is done about it, others do.
import type { JwtForm } from "../token/form.ts"
import { digestOf } from "../token/jwt.ts"
import type { KeyOf } from "../token/signed.ts"
import { readSaid, type Said } from "./said.ts"
import { readSource, type Source } from "./source.ts"
import { createStreamScan } from "./stream.ts"

export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
}

export interface Finding extends Said {
  /** The first of them, at most `MOST_PLACES`. */
  readonly places: readonly Place[]
  /** How many there are. */
  readonly found: number
}

export interface Findings {
  /** Looks through a source; answers why not to its end, undefined: all of it. `read`: bytes as they rest. */
  look(source: Source, read: (bytes: number) => void): Promise<string | undefined>
  /** In the order in which they were found first. */
  all(): readonly Finding[]
  /** What begins like ours and is another issuer's, or was cut before it said whose it is: how many places. */
  others(): number
}

const MOST_PLACES = 5
/** Tokens that are read once, however often they are found. */
const MOST_KNOWN = 10_000

/** A header and ids: longer ones are none of ours. */
const LONGEST_HEADER = 400

/** Of the issuer that is asked about; without one, of whichever gives its tokens ids like ours. */
const isOurs = ({ issuer, jti }: Said, asked: string | undefined): boolean =>
  asked === undefined ? jti !== undefined : issuer === asked

/** `issuer` undefined: tokens of every issuer of this kind count. */
export function createFindings(options: {
  readonly issuer?: string | undefined
  readonly keyOf?: KeyOf | undefined
}): Findings {
  const findings = new Map<string, Finding & { places: Place[]; found: number }>()
  const known = new Map<string, Said>()
  let others = 0

  const readOnce = (form: JwtForm): Said => {
    const digest = digestOf(`${form.header}.${form.payload}.${form.signature}`)
    const said = known.get(digest) ?? readSaid(form, options.keyOf)
    if (known.size >= MOST_KNOWN) known.clear()
    known.set(digest, said)
    return said
  }
  const add = (said: Said, place: Place) => {
    if (!isOurs(said, options.issuer)) {
      others += 1
      return
    }
    const key = `${said.standing} ${said.jti}`
    const finding = findings.get(key) ?? { ...said, places: [], found: 0 }
    finding.found += 1
    if (finding.places.length < MOST_PLACES) finding.places.push(place)
    findings.set(key, finding)
  }
  return {
    async look(source, read) {
      const scan = createStreamScan(({ line, form }) => {
        // Cut in its header it tells nothing, not even whose it was.
        const isTelling = form.payload !== undefined && form.header.length <= LONGEST_HEADER
        if (isTelling) add(readOnce(form), { file: source.name, line })
      })
      const unread = await readSource(source, scan.take, read)
      scan.end()
      return unread
    },
    all: () => [...findings.values()],
    others: () => others,
  }
}
