// Everything under /console.
import type { Endpoint } from "../endpoint.ts"
import type { Rooms } from "../rooms.ts"
import { assetEndpoints } from "./assets.ts"
import { overviewPage } from "./overview.ts"

export const consoleEndpoints = (rooms: Rooms): Endpoint[] => [overviewPage(rooms), ...assetEndpoints()]
