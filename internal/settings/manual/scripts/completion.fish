# fish completion for <<.Program>>. To try it: <<.Program>> completion fish | source
# To keep it: <<.Program>> completion fish > ~/.config/fish/completions/<<.Program>>.fish

function <<.Function>>
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    test (count $current) -gt 0; or set current ''
    set -l program (string replace -r '^~' $HOME -- $before[1])
    set -l lines ($program <<.Ask>> -- $before[2..-1] "$current" 2>/dev/null)
    test (count $lines) -gt 0; or return

    # Of --flag=value fish replaces the whole word.
    set -l prefix (string match -r -- '^--[^=]*=' "$current")
    test (count $prefix) -gt 0; or set prefix ''
    set -l value (string replace -r -- '^--[^=]*=' '' "$current")
    for line in $lines[2..-1]
        printf '%s%s\n' $prefix $line
    end
    switch $lines[1]
        case ':files'
            for path in (__fish_complete_path "$value")
                printf '%s%s\n' $prefix $path
            end
        case ':dirs'
            for path in (__fish_complete_directories "$value")
                printf '%s%s\n' $prefix $path
            end
    end
end

complete -c <<.Program>> -f -a '(<<.Function>>)'
