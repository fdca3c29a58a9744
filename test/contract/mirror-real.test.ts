import { afterAll, vi } from "vitest";
import { testMirrors } from "./mirror-suite.ts";
import { startRealMirror } from "./openclaw-mirror-fixture.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

// OpenClaw's own store can only be seen through a real gateway, which takes up to 25 s to start.
const real = await startRealMirror();
afterAll(() => real.stop());
testMirrors([real.fixture]);
