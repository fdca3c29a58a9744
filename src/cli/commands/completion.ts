import { Argument, type Command } from "commander";
import { type Cli, examples } from "../cli.ts";

/** Each shell hands the words up to the cursor to `rotatectl __complete`, which prints what may come next. */
const SCRIPTS = {
  bash: `_rotatectl() {
  mapfile -t COMPREPLY < <(rotatectl __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _rotatectl rotatectl`,
  zsh: `#compdef rotatectl
_rotatectl() {
  local -a found
  found=("\${(@f)$(rotatectl __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
if [[ "$funcstack[1]" == _rotatectl ]]; then _rotatectl "$@"; else compdef _rotatectl rotatectl; fi`,
  fish: `function __rotatectl
  set -l words (commandline -opc) (commandline -ct)
  rotatectl __complete -- $words[2..-1] 2>/dev/null
end
complete -c rotatectl -f -a '(__rotatectl)'
complete -c rotatectl -F -n '__fish_seen_subcommand_from check init' -a '(__rotatectl)'`,
} as const;

export function define(command: Command, cli: Cli): void {
  command
    .addArgument(new Argument("<shell>").choices(Object.keys(SCRIPTS)))
    .addHelpText(
      "after",
      examples(
        "rotatectl completion bash > /etc/bash_completion.d/rotatectl",
        "rotatectl completion zsh > ~/.zfunc/_rotatectl",
        "rotatectl completion fish > ~/.config/fish/completions/rotatectl.fish",
      ),
    )
    .action((shell: keyof typeof SCRIPTS) => cli.io.out(SCRIPTS[shell]));
}
