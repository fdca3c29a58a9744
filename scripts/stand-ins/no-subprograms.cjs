// Commander can run subcommands that are programs of their own. There are none.
module.exports = {};
