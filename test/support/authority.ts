import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate authority of its own, with one certificate for localhost and vendor.test. Needs openssl. */
export function makeAuthority() {
  const directory = mkdtempSync(join(tmpdir(), "rotated-ca-"));
  const file = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
  openssl("req", ...newKey, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf");
  writeFileSync(file("names"), "subjectAltName=DNS:localhost,DNS:vendor.test,IP:127.0.0.1\n");
  openssl(
    "x509",
    "-req",
    "-in",
    "leaf.csr",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-out",
    "leaf.pem",
    "-days",
    "2",
    "-extfile",
    "names",
  );
  return {
    /** The authority's own certificate. */
    caFile: file("ca.pem"),
    /** A file that is there and holds no certificate. */
    keyFile: file("leaf.key"),
    directory,
    tls: { key: readFileSync(file("leaf.key"), "utf8"), cert: readFileSync(file("leaf.pem"), "utf8") },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
