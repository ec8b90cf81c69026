# fish completion for rootlet. rootlet itself generates the candidates: see frontend/commands/complete.c.

function __rootlet_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l value (string replace -r -- '^--[^=]*=' '' $current)
    set -l option (string match -r -- '^--[^=]*=' $current)
    for line in ($words[1] __complete $words[2..-1] $current 2>/dev/null)
        switch $line
            case :files
                printf "$option%s\n" (__fish_complete_path $value)
            case :directories
                printf "$option%s\n" (__fish_complete_directories $value '')
            case '*'
                printf '%s%s\n' "$option" $line
        end
    end
end

complete -c rootlet -f -a '(__rootlet_complete)'
