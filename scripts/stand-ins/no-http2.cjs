// src/world/network.ts never allows HTTP/2. As undici does it where Node has none.
module.exports = { constants: {} };
