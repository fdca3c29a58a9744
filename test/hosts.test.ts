import { expect, it } from "vitest";
import { isLoopback } from "../src/contract/loopback.ts";
import { isExempt, staysHere } from "../src/world/hosts.ts";

it.each([
  ["http://localhost", true],
  ["http://127.8.9.10:80", true],
  ["http://[::1]:80", true],
  ["http://0x7f.1", true],
  ["http://localhost.", true],
  ["http://llm.localhost", false],
  ["http://localhost.example.org", false],
  ["http://127.0.0.1.example.org", false],
  ["http://128.0.0.1", false],
  ["http://[::2]", false],
  ["http://0.0.0.0", false],
])("%s is loopback: %s", (url, expected) => {
  expect(isLoopback(new URL(url))).toBe(expected);
});

it.each([
  ["http://127.0.0.1", true],
  ["http://169.254.169.254/metadata", true],
  ["http://169.254.169.253", false],
  ["http://169.254.169.254.example.org", false],
  ["http://10.0.0.1", false],
])("%s stays here: %s", (url, expected) => {
  expect(staysHere(new URL(url))).toBe(expected);
});

it.each([
  ["https://api.example.org", "example.org", true],
  ["https://api.example.org", ".example.org", true],
  ["https://api.example.org", "*.example.org", true],
  ["https://example.org", ".example.org", true],
  ["https://api.example.org", "API.Example.org", true],
  ["https://badexample.org", "example.org", false],
  ["https://example.org.evil.test", "example.org", false],
  ["https://api.example.org", "example.org:443", true],
  ["wss://api.example.org", "example.org:443", true],
  ["https://api.example.org:8443", "example.org:443", false],
  ["http://10.0.0.7:8080", "10.0.0.7", true],
  ["http://10.0.0.7:8080", "10.0.0.7:8080", true],
  ["http://10.0.0.7:8080", "0.0.7", false],
  ["http://[fd00::1]:8080", "fd00::1", true],
  ["http://[fd00::1]:8080", "[fd00::1]:8080", true],
  ["http://[fd00::1]:8080", "[fd00::1]:80", false],
  ["https://anything.test", "*", true],
  ["https://anything.test", "", false],
])("%s is exempt by %s: %s", (url, rule, expected) => {
  expect(isExempt(new URL(url), [rule])).toBe(expected);
});
