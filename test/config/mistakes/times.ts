import { change, type Mistake } from "./mistake.ts";

/** Schedules, windows and lengths of time. */
export const TIMES: readonly Mistake[] = [
  {
    name: "a length of time without a unit",
    text: change("every: 30d", "every: 30"),
    says: [
      "12:12: credentials.prod.every: a number where it does not belong",
      "hint: give a length of time with its unit, such as 90s, 15m, 24h or 30d",
    ],
  },
  {
    name: "a length of time in words",
    text: change("every: 30d", "every: monthly"),
    says: ["12:12: credentials.prod.every: not a valid value", "hint: give a length of time with its unit, such as 90s, 15m, 24h or 30d"],
  },
  {
    name: "a length of time that no date can take",
    text: change("every: 30d", "every: 9999w"),
    says: ["12:12: credentials.prod.every: longer than 10 years", "hint: give at most 3650d"],
  },
  {
    name: "no time at all",
    text: change("every: 30d", "every: 0s"),
    says: ["12:12: credentials.prod.every: no time at all", "hint: give more than 0s"],
  },
  {
    name: "two schedules",
    text: change("every: 30d", "every: 30d\n    cron: 0 4 1 * *\n    zone: UTC"),
    says: ["13:11: credentials.prod.cron: two schedules: `every` and `cron`", "hint: remove one of the two"],
  },
  {
    name: "cron without zone",
    text: change("every: 30d", "cron: 0 4 1 * *"),
    says: [
      "12:11: credentials.prod.cron: a cron expression without a time zone",
      "hint: add the zone that it is meant in, such as zone: Europe/Berlin or zone: UTC",
    ],
  },
  {
    name: "zone without cron",
    text: change("every: 30d", "every: 30d\n    zone: UTC"),
    says: [
      "13:11: credentials.prod.zone: a time zone without a cron expression",
      "hint: remove it, or say with cron when rotations begin; a window has a zone of its own",
    ],
  },
  {
    name: "a cron expression of six fields",
    text: change("every: 30d", "cron: 0 0 4 1 * *\n    zone: UTC"),
    says: [
      "12:11: credentials.prod.cron: not a cron expression that comes true some day",
      'hint: give five fields: minute, hour, day, month, day of the week, such as "0 4 1 * *"',
    ],
  },
  {
    name: "a cron nickname",
    text: change("every: 30d", "cron: '@monthly'\n    zone: UTC"),
    says: [
      "12:11: credentials.prod.cron: not a cron expression that comes true some day",
      'hint: give five fields: minute, hour, day, month, day of the week, such as "0 4 1 * *"',
    ],
  },
  {
    name: "a cron expression that never comes true",
    text: change("every: 30d", "cron: 0 4 31 2 *\n    zone: UTC"),
    says: [
      "12:11: credentials.prod.cron: not a cron expression that comes true some day",
      'hint: give five fields: minute, hour, day, month, day of the week, such as "0 4 1 * *"',
    ],
  },
  {
    name: "a misspelled zone",
    text: change("every: 30d", "cron: 0 4 1 * *\n    zone: Europe/Berln"),
    says: ['13:11: credentials.prod.zone: no time zone "Europe/Berln"', 'hint: did you mean "Europe/Berlin"?'],
  },
  {
    name: "an offset as a zone",
    text: change("every: 30d", "cron: 0 4 1 * *\n    zone: +01:00"),
    says: ["13:11: credentials.prod.zone: no time zone of this name", "hint: give the name of a time zone, such as Europe/Berlin or UTC"],
  },
  {
    name: "a window without length",
    text: change("every: 30d", "window: { from: '02:00', to: '02:00', zone: UTC }"),
    says: [
      "12:34: credentials.prod.window.to: a window of no length",
      "hint: let it be a minute long at least; for the whole day leave the window out",
    ],
  },
  {
    name: "a window with a wrong time",
    text: change("every: 30d", "window: { from: 2am, to: '24:00', zone: UTC }"),
    says: [
      "12:21: credentials.prod.window.from: not a valid value",
      'hint: give a time of day such as "02:00"',
      "12:30: credentials.prod.window.to: not a valid value",
      'hint: give a time of day such as "02:00"',
    ],
  },
  {
    name: "a key that lives too short for `every`",
    text: change("project: proj_1", "project: proj_1, keyLifetime: 31d"),
    says: [
      "12:12: credentials.prod.every: a key of this provider lives 31 d 0 h, but may be needed for 31 d 1 h",
      "hint: it must outlive the interval, the overlap and timing.drainLimit together: rotate more often, or let keys live longer",
    ],
  },
  {
    name: "a key that lives too short for `cron`",
    text: change("project: proj_1", "project: proj_1, keyLifetime: 31d").replace("every: 30d", "cron: 0 4 1 * *\n    zone: UTC"),
    says: [
      "12:11: credentials.prod.cron: a key of this provider lives 31 d 0 h, but may be needed for 32 d 1 h",
      "hint: it must outlive the interval, the overlap and timing.drainLimit together: rotate more often, or let keys live longer",
    ],
  },
  {
    name: "a key that lives shorter than the overlap",
    text: change("project: proj_1", "project: proj_1, keyLifetime: 24h").replace("    every: 30d\n", ""),
    says: [
      "9:5: credentials.prod: a key of this provider lives 24 h, but may be needed for 25 h",
      "hint: it must outlive the interval, the overlap and timing.drainLimit together: rotate more often, or let keys live longer",
    ],
  },
  {
    name: "waits that are empty",
    text: change("providers:", "timing: { waits: [] }\nproviders:"),
    says: ["1:18: timing.waits: no waits at all", "hint: waits: the waits between attempts; the last one repeats"],
  },
  {
    name: "a fraction of a time",
    text: change("providers:", "timing: { verify: { times: 1.5 } }\nproviders:"),
    says: ["1:28: timing.verify.times: a number where it does not belong", "hint: give a whole number"],
  },
  {
    name: "no times",
    text: change("providers:", "timing: { confirm: { times: 0 } }\nproviders:"),
    says: ["1:29: timing.confirm.times: not a valid value", "hint: give at least 1"],
  },
  {
    name: "waits that shrink",
    text: change("providers:", "timing: { afterFailure: { last: 30m } }\nproviders:"),
    says: ["1:33: timing.afterFailure.last: shorter than `first`", "hint: the waits grow from `first` to `last`"],
  },
];
