# fish completion of parl; written by `parl completion fish`.
function __parl_words
    set -l words (commandline -opc)
    set -l parl (command -s -- $words[1]; or echo '@PROGRAM@')
    set -e words[1]
    set -l cur (commandline -ct)
    for line in ($parl[1] completion words -- $words "$cur" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$cur")
            case ':folders'
                __fish_complete_directories (string replace -r '^--[^=]*=' '' -- "$cur")
            case '*'
                echo $line
        end
    end
end
complete -c parl -f -a '(__parl_words)'
