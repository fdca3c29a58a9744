import { testGatewayToken } from "./gateway-token-suite.ts";

testGatewayToken("own store");
