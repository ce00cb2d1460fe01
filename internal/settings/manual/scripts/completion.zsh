#compdef <<.Program>>
# zsh completion for <<.Program>>. To try it, after compinit: source <(<<.Program>> completion zsh)
# To keep it: <<.Program>> completion zsh > "${fpath[1]}/_<<.Program>>"

<<.Function>>() {
	local program=${(Q)words[1]} line kind
	local -a lines candidates
	[[ $program == "~/"* ]] && program=$HOME/${program#"~/"}
	lines=("${(@f)$("$program" <<.Ask>> -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	kind=${lines[1]-}
	for line in "${(@)lines[2,-1]}"; do
		# _describe wants word:meaning, with the colons of the word escaped.
		candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	[[ $PREFIX == --*=* ]] && compset -P '*='
	case $kind in
	:files) _files ;;
	:dirs) _files -/ ;;
	esac
	(( ${#candidates} )) && _describe -V '<<.Program>>' candidates
	return 0
}

if [[ ${funcstack[1]-} == _<<.Program>> ]]; then
	<<.Function>> "$@"
else
	compdef <<.Function>> <<.Program>>
fi
