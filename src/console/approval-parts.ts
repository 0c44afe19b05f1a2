// What several pages show of an approval: its state and where it is told at length.
import type { Approval } from "../task/approval-view.ts"
import { type Tone, tag } from "./parts.ts"
import type { Fragment } from "./values.ts"

export const APPROVALS_PATH = "/console/approvals"

export const approvalPath = (id: string): string => `${APPROVALS_PATH}/${id}`

const STATES: Readonly<Record<Approval["state"], readonly [text: string, tone: Tone]>> = {
  requested: ["waiting", "warn"],
  granted: ["granted", "good"],
  collected: ["granted and used up", "good"],
  denied: ["denied", "bad"],
  expired: ["expired", "plain"],
}

export const approvalTag = ({ state, decidedBy }: Pick<Approval, "state" | "decidedBy">): Fragment =>
  state === "expired" && decidedBy !== undefined ? tag("granted, ran out") : tag(...STATES[state])
