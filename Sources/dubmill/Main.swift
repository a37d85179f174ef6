internal import ArgumentParser
import DubCommands

@main
enum Main {
    static func main() async {
        await DubmillCommand.main()
    }
}
