#compdef parl
# zsh completion of parl; written by `parl completion zsh`.
_parl() {
  local parl line word
  local -a described open
  parl=$(whence -p -- "${words[1]}") || parl='@PROGRAM@'
  for line in "${(@f)$("$parl" completion words -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
    word=${line%%$'\t'*}
    case $word in
      '') ;;
      :files | :folders)
        [[ $PREFIX == --*=* ]] && compset -P '*='
        if [[ $word == :files ]]; then _files; else _files -/; fi
        ;;
      *[=:]) open+=("$word") ;;
      *) described+=("${word//:/\\:}${${line#"$word"}/$'\t'/:}") ;;
    esac
  done
  (( $#described )) && _describe parl described
  (( $#open )) && compadd -S '' -- $open
  return 0
}
if [[ $funcstack[1] == _parl ]]; then _parl "$@"; else compdef _parl parl; fi
