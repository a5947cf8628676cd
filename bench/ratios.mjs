// The ratios that must not grow: measured here for themselves, in a minute, as they are compared.
import { FLOOR, OURS, SDK, SESSION } from "./contestants.mjs";
import * as cold from "./parts/cold.mjs";
import * as large from "./parts/large.mjs";
import * as stream from "./parts/stream.mjs";
import * as warm from "./parts/warm.mjs";
import { leastRatio } from "./statistics.mjs";

/** By name, so that one part can be measured again. */
export const RATIOS = {
  async warm(arena) {
    const data = await warm.run(arena, { isMainOnly: true });
    return {
      "warm: CPU a call, of the SDK's": warm.ratioOf(data, OURS, SDK, leastRatio),
      "warm: CPU a call, of a bare undici POST's": warm.ratioOf(data, OURS, FLOOR, leastRatio),
      "warm: CPU a call of a Session, of the SDK's": warm.ratioOf(data, SESSION, SDK, leastRatio),
    };
  },
  async cold(arena) {
    const data = await cold.run(arena, { names: [OURS, SDK], isPlain: true });
    return { "cold: import and first call, of the SDK's": cold.ratioOf(data, OURS, SDK, leastRatio) };
  },
  async large(arena) {
    const data = await large.run(arena, { names: [OURS, SDK], isLargeOnly: true });
    const ratios = {};
    for (const way of large.WAYS) {
      for (const kind of large.KINDS) {
        const ratio = (what) => large.ratioOf(data, way, kind, what, leastRatio);
        ratios[`4 MB of ${kind} ${way}: time, of the SDK's`] = ratio("time");
        ratios[`4 MB of ${kind} ${way}: peak memory, of the SDK's`] = ratio("peak");
      }
    }
    return ratios;
  },
  async stream(arena) {
    const data = await stream.run(arena, { names: [OURS, SDK] });
    return {
      "stream: time to first byte, of the SDK's": stream.firstByteRatio(data, leastRatio),
      "stream of 200 MB: CPU, of the SDK's": stream.cpuRatio(data, leastRatio),
    };
  },
};
