import { testGatewayToken } from "./gateway-token-suite.ts";

testGatewayToken("file");
