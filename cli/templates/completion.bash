# bash completion of parl; written by `parl completion bash`.
_parl() {
  local parl word _ i glued='' cur=${COMP_WORDS[COMP_CWORD]} words=()
  parl=$(type -P -- "${COMP_WORDS[0]}") || parl='@PROGRAM@'
  # bash parts words at = and :, which are inside of ours.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ ${#words[@]} -gt 0 && ( -n $glued || $word == [=:] ) ]]; then
      words[${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    if [[ $word == [=:] ]]; then glued=yes; else glued=''; fi
  done
  [[ $cur == [=:] ]] && cur=
  local kept=${words[${#words[@]} - 1]%"$cur"}
  COMPREPLY=()
  while IFS=$'\t' read -r word _; do
    case $word in
      :files | :folders)
        compopt -o filenames 2>/dev/null
        [[ $word == :files ]] && i=-f || i=-d
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$i" -- "$cur")
        ;;
      *)
        COMPREPLY+=("${word#"$kept"}")
        [[ $word == *[=:] ]] && compopt -o nospace 2>/dev/null
        ;;
    esac
  done < <("$parl" completion words -- "${words[@]}" 2>/dev/null)
  return 0
}
complete -F _parl parl
