// The first page: what agents are doing now. It reads; overview-page.ts shows.

import { countAlarms } from "../../audit/alarm.ts"
import { overview } from "../../console/overview-page.ts"
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { page } from "./route.ts"

export const overviewPage = (rooms: Rooms): Endpoint =>
  page(rooms, {
    path: "/console",
    summary: "The overview",
    who: ["auditor", "operator", "approver"],
    run: async () => ({ ...overview({ alarms: [...(await countAlarms(rooms.engine))] }) }),
  })
