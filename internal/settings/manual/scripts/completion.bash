# bash completion for <<.Program>>. To try it: source <(<<.Program>> completion bash)
# To keep it: <<.Program>> completion bash > /etc/bash_completion.d/<<.Program>>

<<.Function>>() {
	local IFS=$' \t\n' program=${COMP_WORDS[0]} word line kind prefix=
	local -a words=() values=()
	# bash splits words at =, and the program does not.
	local i
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = && ${#words[@]} -gt 0 && ${words[-1]} == --* ]]; then
			words[-1]+==
		elif ((i > 1)) && [[ ${#words[@]} -gt 0 && ${words[-1]} == --*= && ${COMP_WORDS[i - 1]} == = ]]; then
			words[-1]+=$word
		else
			words+=("$word")
		fi
	done
	word=${words[-1]}
	local current=$word
	if [[ $word == --*=* ]]; then
		current=${word#*=}
		# Where = does not split words, the flag is part of what bash replaces.
		[[ ${COMP_WORDBREAKS-} == *=* ]] || prefix=${word%%=*}=
	fi
	case $program in "~/"*) program=$HOME/${program#"~/"} ;; esac

	COMPREPLY=()
	{
		IFS= read -r kind || return 0
		while IFS= read -r line; do
			COMPREPLY+=("$prefix${line%%$'\t'*}")
		done
	} < <("$program" <<.Ask>> -- "${words[@]}" 2>/dev/null)
	case $kind in
	:files) mapfile -t values < <(compgen -f -- "$current") ;;
	:dirs) mapfile -t values < <(compgen -d -- "$current") ;;
	esac
	for line in "${values[@]}"; do
		COMPREPLY+=("$prefix$line")
	done
	if ((${#values[@]} > 0)); then
		compopt -o filenames 2>/dev/null
	fi
	return 0
}

complete -F <<.Function>> <<.Program>>
