# bash completion for rootlet. rootlet itself generates the candidates: see frontend/commands/complete.c.

_rootlet() {
	local words=() line cur=${COMP_WORDS[COMP_CWORD]} i
	# bash splits words at "=": join "--name=x" again.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		if ((${#words[@]})) && { [[ ${COMP_WORDS[i]} == = && ${words[-1]} == --* ]] ||
			[[ ${words[-1]} == --*= ]]; }; then
			words[-1]+=${COMP_WORDS[i]}
		else
			words+=("${COMP_WORDS[i]}")
		fi
	done
	[[ $cur == = ]] && cur=''
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:files) compopt -o filenames && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur") ;;
		:directories)
			compopt -o filenames && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$cur")
			;;
		*)
			line=${line%%$'\t'*}
			[[ $line != "$cur"* ]] || COMPREPLY+=("$line")
			;;
		esac
	done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}

complete -F _rootlet rootlet
