import { Refused } from "../http-fake.ts";

/** A refusal in Azure's one error shape. */
export class Refusal extends Refused {
  constructor(status: number, code: string, message: string) {
    super(message, { status, body: { error: { code, message } } });
  }
}
