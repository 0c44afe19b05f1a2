// The overview: plain data into the page that is seen first.
import type { Page } from "./page.ts"
import { empty, section, table } from "./parts.ts"
import { numberOf } from "./values.ts"

export interface Overview {
  /** By kind, those that stand. */
  readonly alarms: readonly (readonly [kind: string, count: number])[]
}

export const overview = ({ alarms }: Overview): Omit<Page, "reader"> => ({
  title: "Overview",
  place: "/console",
  lead: "What agents are doing, and what needs a person.",
  body: section(
    "Alarms",
    alarms.length === 0
      ? empty(
          "No alarm stands.",
          "What is silent, or reports less than it should, appears here within a minute.",
        )
      : table(
          "Alarms that stand",
          [{ title: "Alarm" }, { title: "How many", count: true }],
          alarms.map(([kind, count]) => [kind, numberOf(count)]),
        ),
  ),
})
