import { MIRROR_FIXTURES } from "./mirror-fixture.ts";
import { testMirrors } from "./mirror-suite.ts";

testMirrors(Object.values(MIRROR_FIXTURES).flat());
